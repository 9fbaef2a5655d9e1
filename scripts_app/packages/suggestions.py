"""Suggestions ("did you mean") for names that the package index does not know."""

import difflib
import re
import sys

from packaging.utils import canonicalize_name

# Import names and their packages, whose names are not similar.
PACKAGES_BY_IMPORT = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "crypto": "pycryptodome",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "distutils": "setuptools",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "git": "gitpython",
    "github": "pygithub",
    "googleapiclient": "google-api-python-client",
    "jose": "python-jose",
    "jwt": "pyjwt",
    "magic": "python-magic",
    "mysqldb": "mysqlclient",
    "nacl": "pynacl",
    "openssl": "pyopenssl",
    "pil": "pillow",
    "pkg_resources": "setuptools",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "slugify": "python-slugify",
    "smb": "pysmb",
    "socks": "pysocks",
    "telegram": "python-telegram-bot",
    "usb": "pyusb",
    "win32api": "pywin32",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}
_NAMES = """
    aiofiles aiohttp alembic altair anthropic apprise apscheduler arrow asyncpg asyncssh attrs azure-identity
    azure-storage-blob babel bcrypt beautifulsoup4 black bokeh boto3 botocore cachetools celery certifi chardet
    click colorama coverage croniter cryptography cssselect dask dataclasses-json deepdiff defusedxml django
    dnspython docker duckdb elasticsearch email-validator fabric faker fastapi feedparser filelock flask folium
    geopandas geopy gitpython google-api-python-client google-auth google-cloud-bigquery google-cloud-storage
    gspread gunicorn h5py holidays html5lib httpx humanize icalendar imageio influxdb-client ipython isort jinja2
    joblib jsonschema keyring ldap3 loguru lxml markdown markupsafe matplotlib mechanize mock msgpack mypy
    mysql-connector-python mysqlclient netmiko networkx nltk numba numpy oauthlib odfpy openai
    opencv-python-headless openpyxl oracledb orjson paho-mqtt pandas paramiko pdfplumber peewee pendulum pexpect
    phonenumbers pillow playwright plotly polars praw prometheus-client psutil psycopg psycopg2-binary pyarrow
    pycryptodome pydantic pygithub pygments pyjwt pymongo pymupdf pymysql pynacl pyodbc pyopenssl pyotp pypdf
    pyserial pysftp pyspark pytest python-dateutil python-docx python-dotenv python-gitlab python-magic
    python-pptx python-slugify python-telegram-bot pytz pywin32 pyyaml pyzmq qrcode rapidfuzz redis regex
    reportlab requests requests-oauthlib retry rich ruff s3fs schedule scikit-image scikit-learn scipy scrapy
    seaborn selenium sendgrid sentry-sdk shapely simplejson six slack-sdk snowflake-connector-python spacy
    sqlalchemy statsmodels stripe sympy tabulate tenacity termcolor tomli tornado tqdm tweepy twilio typer tzdata
    ujson unidecode urllib3 uvicorn validators watchdog weasyprint websocket-client websockets xlrd xlsxwriter
    xmltodict yfinance zeep
"""
POPULAR_PACKAGES = frozenset(_NAMES.split())
_TOOLS = frozenset({"pip", "setuptools", "wheel", "uv"})  # environments have none of them
MIN_SIMILARITY = 0.8
_UNKNOWN = re.compile(
    r"\b([A-Za-z0-9][A-Za-z0-9._-]*) was not found in the (?:package registry|provided package locations)"
)


def package_of(module: str) -> str:
    """Return the package that has a module, as far as their names differ; the module's own name otherwise."""
    return PACKAGES_BY_IMPORT.get(module.lower(), module)


def package_of_import(module: str) -> str:
    """Return the package that brings a module, or "": a stranger's package may bear the name of a person's own file."""
    top = module.partition(".")[0].lower()
    if top in PACKAGES_BY_IMPORT:
        return PACKAGES_BY_IMPORT[top]
    package = top.replace("_", "-")
    return package if package in POPULAR_PACKAGES | _TOOLS else ""


def suggestion(name: str) -> str:
    """Return the package that was probably meant; "" for none, and for a module of Python itself."""
    plain = canonicalize_name(name)
    if is_part_of_python(name):
        return ""
    if plain in PACKAGES_BY_IMPORT:
        return PACKAGES_BY_IMPORT[plain]
    others = POPULAR_PACKAGES - {plain}
    similar = difflib.get_close_matches(
        plain,
        others,
        n=1,
        cutoff=MIN_SIMILARITY,
    )
    return similar[0] if similar else ""


def is_part_of_python(name: str) -> bool:
    return name.lower().replace("-", "_") in sys.stdlib_module_names


def with_suggestion(message: str) -> str:
    """Return a message of uv, with a hint as last line if a package is unknown and a suggestion exists."""
    unknown = _UNKNOWN.search(message)
    if unknown is None:
        return message
    if is_part_of_python(unknown[1]):
        return f"{message}\nhint: `{unknown[1]}` is part of Python itself: take it off the list"
    package = suggestion(unknown[1])
    if not package:
        return message
    return f"{message}\nhint: did you mean `{package}`?"
