"""The command `botyard`: one module for each sub-command, imported only when it runs."""
