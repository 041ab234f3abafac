"""The farm's HTTP face: the job API and the web pages, as one ASGI application that Ray Serve runs."""
