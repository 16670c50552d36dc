"""What a release is judged by: gates, software bill of materials, SOUP list, lock file and package metadata."""
