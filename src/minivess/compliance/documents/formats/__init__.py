"""Documents in other formats than HTML: DOCX by pandoc and PDF by typst, each from the same blocks."""
