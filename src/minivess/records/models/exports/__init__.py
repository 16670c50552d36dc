"""The record of an exported model: what is in its folder, how it is used, and what was measured when it was made."""
