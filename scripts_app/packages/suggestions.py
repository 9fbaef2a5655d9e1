"""Names of packages that people look for, to ask "did you mean" where the index knows no such package."""

import difflib
import re

# Names that code imports, and the package they come in: no likeness of letters would find it.
IMPORTED_AS = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "crypto": "pycryptodome",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
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
OFTEN_USED = frozenset(_NAMES.split())
LIKENESS = 0.8
_UNKNOWN = re.compile(
    r"\b([A-Za-z0-9][A-Za-z0-9._-]*) was not found in the (?:package registry|provided package locations)"
)


def suggestion(name: str) -> str:
    """A package that was probably meant by a name no index knows, or ""."""
    canonical = re.sub(r"[-_.]+", "-", name).lower()
    if canonical in IMPORTED_AS:
        return IMPORTED_AS[canonical]
    like = difflib.get_close_matches(canonical, OFTEN_USED - {canonical}, n=1, cutoff=LIKENESS)
    return like[0] if like else ""


def with_suggestion(message: str) -> str:
    """A message of uv, with a hint as its last line where no index knows a package and we know a likely one."""
    unknown = _UNKNOWN.search(message)
    meant = suggestion(unknown[1]) if unknown else ""
    return f"{message}\nhint: did you mean `{meant}`?" if meant else message
