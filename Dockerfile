# Diosix in a container: the same steps as on a machine of one's own.
#
#   docker build -t diosix .
#   docker run --rm -it diosix              # ./dio run
#   docker run --rm diosix ./dio test
FROM debian:trixie-slim
WORKDIR /diosix
COPY . .
RUN ./dio setup && ./dio build && rm -rf /var/lib/apt/lists/*
CMD ["./dio", "run"]
