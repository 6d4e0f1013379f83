# MobileBench with adb, for machines that measure phones or gate pull requests.
#
#   docker build -t mobilebench .
#   docker run --rm -v "$PWD:/work" mobilebench run a.tflite b.tflite
#
# Phones on USB, on a Linux host (end the host's own adb server first: one server has the phones;
# the keys are those that the phones trust already):
#
#   adb kill-server
#   docker run --rm --privileged -v /dev/bus/usb:/dev/bus/usb -v ~/.android:/home/bench/.android \
#     -v "$PWD:/work" mobilebench run suite.toml --device all
#
# Docker on macOS and Windows passes no USB on. There, and wherever the host's adb server shall stay,
# let the container ask that one (adb -a nodaemon server start, behind a firewall: it asks nobody
# who they are):
#
#   docker run --rm --add-host host.docker.internal:host-gateway -v "$PWD:/work" \
#     mobilebench run suite.toml --device adb://host.docker.internal:5037/SERIAL
#
# Files in /work belong to user 1000; another one: --user "$(id -u)".
# Leave TensorFlow out where nothing is compressed: --build-arg EXTRAS=agent,quality
FROM python:3.12-slim-bookworm
ARG EXTRAS=agent,compress,quality

# adbutils brings an adb for x86; other processors take Debian's.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends adb libusb-1.0-0 \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN pip install --no-cache-dir -c constraints.txt ".[$EXTRAS]" && rm -rf /source

RUN useradd --uid 1000 --create-home bench && mkdir -m 1777 /cache && chmod 1777 /home/bench
ENV HOME=/home/bench MOBILEBENCH_CACHE=/cache PYTHONDONTWRITEBYTECODE=1
USER bench
WORKDIR /work
ENTRYPOINT ["mobilebench"]
CMD ["--help"]
