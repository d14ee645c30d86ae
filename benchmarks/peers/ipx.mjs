// ipx over a folder, in several processes: node ipx.mjs PORT PROCESSES FOLDER
import cluster from "node:cluster";
import { createServer } from "node:http";
import { createIPX, createIPXNodeServer, ipxFSStorage } from "ipx";

const [port, processes, folder] = process.argv.slice(2);

if (cluster.isPrimary) {
  for (let i = 0; i < Number(processes); i++) cluster.fork();
} else {
  const ipx = createIPX({ storage: ipxFSStorage({ dir: folder }) });
  createServer(createIPXNodeServer(ipx)).listen(Number(port), "127.0.0.1");
}
