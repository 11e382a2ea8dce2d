"""Steps that carry data from one store to the next: landed files to the lake, the lake to the warehouse.

Each step decides what is out of date, then reads, computes and publishes it once. Assets and the command line call the
same steps. Do not import dagster here: the command line would need 1.7 s more to add one symbol. Formulas are in
`market`, `pricing` and `analytics`, SQL is in `warehouse`.
"""
