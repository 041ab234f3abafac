import { frame } from "./farm.js";

frame("");
