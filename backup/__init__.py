"""One file that holds the database's rows and the artifact store's files of one moment, made while the service runs."""
