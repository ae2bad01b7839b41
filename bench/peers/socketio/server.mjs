// Relays each message to the named recipient, in memory, and tells the sender once the recipient has acknowledged it.
// Usage: node server.mjs PORT
import { createServer } from "node:http";
import { Server } from "socket.io";

const online = new Map();
const http = createServer();
const io = new Server(http, { transports: ["websocket"], serveClient: false });

io.on("connection", (socket) => {
  const name = socket.handshake.query.name;
  online.set(name, socket);
  socket.on("disconnect", () => online.delete(name));
  socket.on("send", (to, id, content, accepted) => {
    const recipient = online.get(to);
    if (recipient === undefined) {
      accepted("offline");
      return;
    }
    recipient.emit("deliver", id, content, () => accepted());
  });
});

http.listen(Number(process.argv[2]), "127.0.0.1", 4096);
