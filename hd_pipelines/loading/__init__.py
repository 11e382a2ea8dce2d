"""Steps that carry data from one store to the next: landed files to the lake, the lake to the warehouse.

Belongs here: deciding what is out of date, and doing read → compute → publish once. Assets and the command line call the
same step; this room exists because the command line must not pay for importing dagster (1.7 s) to add one symbol.
Must not be found here: formulas (`market`), SQL (`warehouse`), dagster.
"""
