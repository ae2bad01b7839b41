// Hands each signal to one peer of its room, or to all others, in memory, and tells the sender so.
// Usage: node rooms.mjs PORT
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"], serveClient: false });

io.on("connection", (socket) => {
  const { room, name } = socket.handshake.query;
  socket.join([room, `${room}/${name}`]);
  socket.on("signal", (to, id, content, sent) => {
    socket.to(to === "" ? room : `${room}/${to}`).emit("signal", name, id, content);
    sent();
  });
});

http.listen(Number(process.argv[2]), "127.0.0.1", 4096);
