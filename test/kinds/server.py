import socket, threading
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
print(listener.getsockname()[1], flush=True)


def serve(s):
    while s.recv(64):
        pass
    s.close()


while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
