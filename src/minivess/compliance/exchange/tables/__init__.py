"""Tables in text files and workbooks, made rows and items."""
