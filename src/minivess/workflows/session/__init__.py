"""What every use case starts from: open services, the recording of actions, and the data that an entry cites."""
