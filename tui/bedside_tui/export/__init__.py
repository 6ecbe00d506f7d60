"""What a recording holds, in the forms that other programs read. Records go in one by one; nothing here opens a file."""
