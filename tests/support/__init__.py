"""What tests share: builders of records and files, servers, and sample projects."""
