"""Requirements and risks that come from other tools and go to them: nothing is dropped without a word."""
