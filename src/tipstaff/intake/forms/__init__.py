"""What several forms share: XML that cannot attack its reader, tables however they are written, names of kinds."""
