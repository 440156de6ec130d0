"""ops: what a person runs: the command line, the embedded Kafka, lag, dead letters, the demo."""
