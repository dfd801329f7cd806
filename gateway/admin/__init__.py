"""What an admin can see and do, without HTTP: the API and the console are two faces of it."""
