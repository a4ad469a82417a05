# Made by nab. Draw again with: gnuplot 'parallel.gp'
# Other formats: set terminal svg | pdfcairo | pngcairo | cairolatex, and another ending for the output
set terminal svg size 884,302 dynamic noenhanced font 'Helvetica,12' background rgb 'white'
set output 'parallel.svg'
set encoding utf8
set datafile missing 'NaN'
set border 3 lc rgb '#667085'
set tics nomirror out scale 0.6
set xtics offset 0,0.3
set grid ytics lt 1 lw 0.7 lc rgb '#e4e7ec'
set lmargin at screen 0.0171
set rmargin at screen 0.8718
set bmargin at screen 0.0375
set tmargin at screen 0.9625
set cbrange [69.666667:97.833333]
set label 3 'validation accuracy, %' at screen 0.9829, screen 0.5000 center rotate by 90
set colorbox user origin screen 0.9060, screen 0.0375 size screen 0.0171, screen 0.9250
set cbtics
unset border
unset grid
unset xtics
unset ytics
unset key
set style textbox opaque noborder margins 0.3,0.3
set xrange [-0.45:7.3]
set yrange [-0.06:1.12]
set palette defined (0 '#440154', 1 '#46327e', 2 '#365c8d', 3 '#277f8e', 4 '#1fa187', 5 '#4ac16d', 6 '#a0da39', 7 '#e8d71e')
plot 'parallel.dat' index 0 using 1:2 with lines lw 0.8 dt (4,3) lc rgb '#8c8c8c', \
     'parallel.dat' index 1 using 1:2:3 with lines lw 1.2 lc palette, \
     'parallel.dat' index 3 using 1:2:(0):($3-$2) with vectors nohead lw 1.5 lc rgb '#1c2330', \
     'parallel.dat' index 2 using 1:2 with points pt 7 ps 0.25 lc rgb '#1c2330', \
     'parallel.dat' index 2 using 1:2:3 with labels right offset -0.6,0 boxed, \
     'parallel.dat' index 3 using 1:(1.09):4 with labels center
