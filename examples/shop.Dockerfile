# The shop of `otel-taskflow demo`, for compose.yaml. Build it in the top folder: docker build -f examples/shop.Dockerfile .
FROM python:3.13.7-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --wheel-dir /wheels '.[demo]'

FROM python:3.13.7-slim-bookworm
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-index --find-links /wheels 'otel-taskflow[demo]' && rm -r /wheels \
    && install -d -o 10001 -g 10001 /data
USER 10001:10001
WORKDIR /data
EXPOSE 8000
ENTRYPOINT ["otel-taskflow", "demo"]
