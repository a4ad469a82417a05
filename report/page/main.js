/* report/page/main.js - last: all views are known. */
nab.start();
