"""Alignment: networks that were trained apart are brought into line before they are averaged."""
