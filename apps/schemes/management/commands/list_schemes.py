from typing import Any

from django.utils.timezone import localdate

from apps.audit.commands import OperatorCommand
from apps.schemes.document import digest
from apps.schemes.operations import shipped_schemes
from apps.schemes.queries import loaded_versions


class Command(OperatorCommand):
    help = "List the loaded scheme versions with the years that run under them, and the scheme files that are shipped."

    def run(self, **_: Any) -> dict[str, Any]:
        loaded = loaded_versions()
        of_digest = {row.sha256: row.version for row in loaded}
        return {
            "loaded": [row._asdict() for row in loaded],
            "shipped": [
                {
                    "code": scheme.code,
                    "name": scheme.name.en,
                    "file": path.name,
                    "sha256": digest(scheme),
                    "loaded_as": of_digest.get(digest(scheme)),
                }
                for path, scheme in shipped_schemes()
            ],
        }

    def words(self, result: dict[str, Any]) -> str:
        lines = ["loaded:"]
        for row in result["loaded"]:
            years = ", ".join(map(str, row["years"])) or "no year"
            lines.append(
                f"  {row['code']} v{row['version']}: {years}; {localdate(row['loaded_at'])}; {row['sha256'][:12]}"
            )
        lines += ["  none"] * (not result["loaded"]) + ["shipped, in apps/schemes/files:"]
        for row in result["shipped"]:
            loaded = f"loaded as v{row['loaded_as']}" if row["loaded_as"] else "not loaded"
            lines.append(f"  {row['file']}: {row['name']}; {loaded}")
        return "\n".join(lines)
