"""Write the files."""

from service.main import document
from tests.tools.typescript import files

for path, text in files(document()).items():
    path.write_text(text)
    print(f"wrote {path}")
