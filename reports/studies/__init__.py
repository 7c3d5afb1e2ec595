"""Studies: grids of commands that are measured cell by cell, read from the TOML files beside this.

plan.py reads a file and makes its cells, cell.py says what one is and what it came to, folder.py
keeps both on the disk, commands.py writes a cell's command line, conductor.py has them run.
"""
