"""tuspyserver in a FastAPI application, for uvicorn; STORE names the folder of its files."""

import os

from fastapi import FastAPI
from tuspyserver import create_tus_router

app = FastAPI()
app.include_router(create_tus_router(prefix="files", files_dir=os.environ["STORE"]))
