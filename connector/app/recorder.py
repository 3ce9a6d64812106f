"""Record from a program of your own: `Files` names the files, `subject_of` an adapter's market."""

from connector.app.recordings.recorder import Files, subject_of

__all__ = ["Files", "subject_of"]
