// A shop for tests: no admin pages, no Redis, files on disk, secrets of no worth. Its database is in DATABASE_URL.
const { defineConfig } = require("@medusajs/framework/utils");

const origin = "http://127.0.0.1";

module.exports = defineConfig({
  admin: { disable: true },
  projectConfig: {
    databaseUrl: process.env.DATABASE_URL,
    databaseLogging: false,
    http: {
      storeCors: origin,
      adminCors: origin,
      authCors: origin,
      jwtSecret: "only-for-tests",
      cookieSecret: "only-for-tests",
    },
  },
  modules: [
    {
      resolve: "@medusajs/medusa/file",
      options: { providers: [{ resolve: "@medusajs/medusa/file-local", id: "local" }] },
    },
  ],
});
