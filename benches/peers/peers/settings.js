// Node-RED without its editor; the flow's functions are those of the other Node peers.
module.exports = {
  uiHost: '127.0.0.1',
  uiPort: Number(process.env.PORT),
  httpAdminRoot: false,
  flowFile: 'flows.json',
  credentialSecret: 'none',
  functionGlobalContext: { work: require(process.env.WORK), secret: process.env.SECRET },
  logging: { console: { level: 'warn', metrics: false, audit: false } },
}
