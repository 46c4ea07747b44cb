"""What the user chose: keys and saved filters, in files of her own."""
