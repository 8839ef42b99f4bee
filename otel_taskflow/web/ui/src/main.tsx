import "./styles/index.css";

import { render } from "preact";

import { installKeys } from "./keys";
import { installLinks } from "./links";
import { start } from "./state";
import { restoreTheme } from "./theme";
import { Shell } from "./views/shell";

restoreTheme();
start();
installLinks();
installKeys();
render(<Shell />, document.getElementById("app") as HTMLElement);
