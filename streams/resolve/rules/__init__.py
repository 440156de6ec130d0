"""The rules of resolve: row and record in; new row and messages out. No clock, no I/O, no Faust."""
