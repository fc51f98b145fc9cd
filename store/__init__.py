"""What outlives a process: settings, states, tables, artifacts, queue contract."""
