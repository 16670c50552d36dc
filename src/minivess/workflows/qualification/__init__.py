"""Tool qualification: this software is checked on the machine it is used on, and a report says what was found.

ISO 13485:2016 4.1.6 asks that software used in the quality system is validated for its application before first use and after
changes, in proportion to the risk. The checks here are the part that the maker of a tool can bring along. Whether the tool
does what is needed in a process, with its people and data (performance qualification), is for the user to show.
"""
