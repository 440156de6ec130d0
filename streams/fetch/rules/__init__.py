"""What fetch decides, without a clock or a call: where a record leads, which ids are read when and how, and when a read will do."""
