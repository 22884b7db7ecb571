# The image of the model's function; its context is the project's folder, after `make bundles`.
FROM public.ecr.aws/lambda/python:3.12
COPY build/identify/ ${LAMBDA_TASK_ROOT}/
CMD ["handlers.slides.identify.handler"]
