"""Write, audit, publish: bulk loads that replace the rows of a scope in one transaction."""
