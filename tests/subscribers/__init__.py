"""Do the example subscribers keep the ledger's totals? Each where its toolchain is at hand."""
