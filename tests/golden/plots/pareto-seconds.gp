# Made by nab. Draw again with: gnuplot 'pareto-seconds.gp'
# Other formats: set terminal svg | pdfcairo | pngcairo | cairolatex, and another ending for the output
# In a document with \usepackage{graphicx,color}: \input{pareto-seconds.tex}; the lines are in pareto-seconds.pdf
set terminal cairolatex pdf input colortext size 8.5cm,5.85cm font ',7' linewidth 1.5
set output 'pareto-seconds.tex'
set encoding utf8
set datafile missing 'NaN'
set border 3 lc rgb '#667085'
set tics nomirror out scale 0.6
set xtics offset 0,0.3
set grid ytics lt 1 lw 0.7 lc rgb '#e4e7ec'
set lmargin at screen 0.2235
set rmargin at screen 0.9529
set bmargin at screen 0.2564
set tmargin at screen 0.8462
set label 1 'training time of a run, s' at screen 0.5882, screen 0.0684 center
set label 2 'accuracy, \% (95 \% interval)' at screen 0.0471, screen 0.5513 center rotate by 90
set xrange [14.3982:15.5767]
set yrange [60.097:102.259]
set xtics ('14.5' 14.5, '15' 15, '15.5' 15.5)
set key at screen 0.5882, screen 0.9402 center horizontal maxrows 1 Left reverse samplen 1.5
plot 'pareto-seconds.dat' index 2 using 1:2 with steps lw 1.5 lc rgb '#98a2b3' title 'front', \
     'pareto-seconds.dat' index 0 using 1:3:(0):($4-$3) with vectors nohead lw 0.8 lc rgb '#802f6db5' notitle, \
     'pareto-seconds.dat' index 0 using 1:2 with points pt 7 ps 0.6 lc rgb '#2f6db5' title 'models', \
     'pareto-seconds.dat' index 1 using 1:3:(0):($4-$3) with vectors nohead lw 0.8 lc rgb '#80d1480f' notitle, \
     'pareto-seconds.dat' index 1 using 1:2 with points pt 5 ps 0.8 lc rgb '#d1480f' title 'baselines', \
     'pareto-seconds.dat' index 3 using 1:2:3 with labels center notitle
