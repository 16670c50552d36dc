"""One model of documents: headings, paragraphs, lists, tables, figures and facts, made from templates and approved texts."""
