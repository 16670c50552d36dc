"""The report of an evaluation: one page for people, made from the record of the evaluation and from pictures of its cases."""
