"""Bank accounts: the list of banks, numbers, the Japan Post Bank's 記号・番号, the holder's name in kana. Pure."""
