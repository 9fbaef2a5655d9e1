"""Search over the output of all runs: the index gives candidates, the logs give the truth.

`query` reads what people type, `texts` says which text of a log counts, `month_index` is the file of one month, `packs`
are small logs that share a document of it, `coverage` knows which runs the files hold, `indexer` fills them;
`candidate_runs` asks the database, `log_texts` reads a log block by block, `patterns` matches `re:` in a child that can
be ended, `search` puts it together.
"""
