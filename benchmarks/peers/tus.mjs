// @tus/server with its file store, in several processes: node tus.mjs PORT PROCESSES FOLDER
import cluster from "node:cluster";
import { createServer } from "node:http";
import { FileStore } from "@tus/file-store";
import { Server } from "@tus/server";

const [port, processes, folder] = process.argv.slice(2);

if (cluster.isPrimary) {
  for (let i = 0; i < Number(processes); i++) cluster.fork();
} else {
  const tus = new Server({ path: "/files", datastore: new FileStore({ directory: folder }) });
  createServer((request, response) => tus.handle(request, response)).listen(Number(port), "127.0.0.1");
}
