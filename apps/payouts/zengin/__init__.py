"""Transfer files of the Zengin system (全銀協 規定フォーマット, 総合振込): records of 120 bytes. Pure."""
