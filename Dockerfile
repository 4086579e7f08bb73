# syntax=docker/dockerfile:1

# CPU:   docker build -t inpaint-studio:cpu .
# CUDA:  docker build -t inpaint-studio:cuda --build-arg TORCH_INDEX= .
ARG PYTHON_VERSION=3.11
FROM python:${PYTHON_VERSION}-slim

# Where torch comes from. Empty: the default index, whose Linux build brings its own CUDA libraries (several GB);
# the host then needs NVIDIA's driver and container toolkit, nothing more.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

# Data and downloaded models live in one volume. Two malloc arenas: large buffers go back to the system
# instead of staying with each thread.
ENV INPAINT_STUDIO_DATA=/data \
    HF_HOME=/data/huggingface \
    MALLOC_ARENA_MAX=2 \
    PYTHONUNBUFFERED=1 \
    STREAMLIT_SERVER_HEADLESS=true \
    STREAMLIT_SERVER_FILE_WATCHER_TYPE=none

RUN useradd --create-home --user-group --uid 1000 studio \
    && install --directory --owner=studio --group=studio /data

WORKDIR /app

# Before the code, so that a change of code does not install everything again.
# The lock, by hash, holds all but torch, whose build is the choice above.
COPY requirements.txt requirements.lock ./
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock \
    && PIP_EXTRA_INDEX_URL="${TORCH_INDEX}" pip install --no-cache-dir -r requirements.txt

COPY LICENSE Home.py ./
COPY .streamlit/ .streamlit/
COPY assets/ assets/
COPY db/ db/
COPY core/ core/
COPY pages/ pages/

# By number, so that a host can tell that it is not root.
USER 1000:1000
VOLUME /data
EXPOSE 8501

HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]

CMD ["streamlit", "run", "Home.py", "--server.address=0.0.0.0", "--server.port=8501"]
